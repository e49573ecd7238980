"""tinymeta: gradient-based meta-learning by hand, in NumPy.

Read in this order; each file is an evening's chapter at most:

    mlp, losses      the network: forward, backward, Hessian-vector product
    meta             adapt, and the four meta-gradients: joint, FOMAML, MAML, Reptile
    tasks            TaskBatch, SineTasks
    optimizers       SGD, Adam
    training         meta_train, the outer loop
    evaluation       adaptation curves on held-out tasks
    checks           numerical derivatives that prove the written ones
    arguments        what public functions accept; plots, lesson: figures, and what a lesson needs to be a command

Data flows one way: tasks -> meta (-> mlp -> losses) -> optimizers, driven by training; evaluation reads the result.
"""

from . import checks
from .evaluation import adaptation_curve, summarize, table
from .meta import adapt, fomaml_grad, joint_grad, maml_grad, meta_loss, reptile_grad
from .mlp import MLP
from .optimizers import SGD, Adam
from .tasks import SineTasks, TaskBatch, left_side, sine_examples
from .training import Diverged, Interrupted, meta_train

__all__ = [
    "MLP", "TaskBatch", "SineTasks", "adapt", "joint_grad", "fomaml_grad", "maml_grad", "reptile_grad", "meta_loss",
    "SGD", "Adam", "meta_train", "Interrupted", "Diverged", "adaptation_curve", "summarize", "table",
    "sine_examples", "left_side", "checks",
]  # fmt: skip
__version__ = "0.1.0"
