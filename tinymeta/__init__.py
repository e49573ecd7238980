"""tinymeta: gradient-based meta-learning by hand, in NumPy.

Read in this order; each file is an evening's chapter at most:

    mlp, losses      the network: forward, backward, Hessian-vector product
    meta             adapt, and the four meta-gradients: joint, FOMAML, MAML, Reptile
    tasks            TaskBatch, SineTasks
    optimizers       SGD, Adam
    training         meta_train, the outer loop
    evaluation       adaptation curves on held-out tasks
    checks           numerical derivatives that prove the written ones
    variants         Meta-SGD, ANIL, BOIL, MAML++'s loss, iMAML: what grows out of MAML's recursion
    autopsy          what a meta-gradient is made of, and whether it is the one it is said to be
    glyphs           GlyphTasks: few-shot classification of letters
    storage          initialisations and checkpoints in files
    exercises        the checks of lessons/exercises, on problems, with a diagnosis of what is wrong

and what serves them: arguments (what public functions accept), memory, plots, and lesson (what makes a lesson a command).

Data flows one way: tasks -> meta (-> mlp -> losses) -> optimizers, driven by training; evaluation reads the result.
"""

from . import autopsy, checks, variants
from .evaluation import accuracy_table, adaptation_curve, best_rate, interval, largest_eigenvalue, summarize, table
from .glyphs import AllLetters, GlyphTasks, with_head
from .memory import keep_freed_memory
from .meta import adapt, fomaml_grad, joint_grad, maml_grad, meta_loss, reptile_grad
from .mlp import MLP
from .optimizers import SGD, Adam
from .storage import BadFile, load_checkpoint, load_init, save_checkpoint, save_init
from .tasks import SineTasks, TaskBatch, Views, left_side, sine_examples
from .training import Diverged, Interrupted, meta_train

__all__ = [
    "MLP", "TaskBatch", "SineTasks", "adapt", "joint_grad", "fomaml_grad", "maml_grad", "reptile_grad", "meta_loss",
    "SGD", "Adam", "meta_train", "Interrupted", "Diverged", "adaptation_curve", "summarize", "table", "best_rate", "interval", "accuracy_table", "largest_eigenvalue",
    "save_init", "load_init", "save_checkpoint", "load_checkpoint", "BadFile", "sine_examples", "left_side",
    "GlyphTasks", "AllLetters", "Views", "with_head", "autopsy", "checks", "variants",
]  # fmt: skip
keep_freed_memory()
__version__ = "0.1.0"
