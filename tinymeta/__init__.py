"""tinymeta: gradient-based meta-learning by hand, in NumPy.

The subject is nine files, to be read in this order:

    mlp, losses      the network: forward, backward, Hessian-vector product
    meta             adapt, fit, and the four meta-gradients: joint, FOMAML, MAML, Reptile
    tasks            TaskBatch, SineTasks, FunctionTasks, and tasks from data
    optimizers       SGD, Adam
    training         meta_train, the outer loop
    evaluation       adaptation curves on held-out tasks
    checks           numerical derivatives that prove the written ones

Data flows one way: tasks -> meta (-> mlp -> losses) -> optimizers, driven by training; evaluation
reads the result. Two private files serve them: _validate (what public functions accept) and
_memory.

    tinymeta.extras  what grows out of the subject: variants (Meta-SGD, ANIL, BOIL, iMAML), autopsy
                     (is a meta-gradient what it is said to be?), glyphs (few-shot letters),
                     storage, statistics, weights (from and for PyTorch)
    tinymeta.course  what serves the lessons: lesson, examples, tuning, style and figures, widgets;
                     the exercises' problems, grading, diagnosis and hunt, and grade, for a class;
                     book, which makes the pages; handout
"""

from . import checks
from ._memory import ignore_false_warnings, keep_freed_memory
from .evaluation import adaptation_curve
from .meta import adapt, fit, fomaml_grad, joint_grad, maml_grad, meta_loss, reptile_grad
from .mlp import MLP
from .optimizers import SGD, Adam
from .tasks import FunctionTasks, SineTasks, TaskBatch
from .training import meta_train

__all__ = [
    "MLP", "TaskBatch", "SineTasks", "FunctionTasks", "adapt", "fit", "joint_grad", "fomaml_grad",
    "maml_grad", "reptile_grad", "meta_loss", "SGD", "Adam", "meta_train", "adaptation_curve",
    "checks",
]  # fmt: skip
keep_freed_memory()
ignore_false_warnings()
__version__ = "0.2.0"
