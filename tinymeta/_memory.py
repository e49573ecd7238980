"""What the machine needs to know: a hint to the C library about memory, which halves the time of a
meta-step from 25 tasks on; and that Apple's BLAS warns of what has not happened."""

import sys
import warnings

import numpy as np


def keep_freed_memory():
    """Let freed memory be used again instead of going back to the system, which would have to map
    and zero its pages anew at the next step: glibc keeps twice the size of the largest block that
    was freed, if that is below 32 MiB."""
    np.empty((1 << 25) - (1 << 16), np.uint8)  # never touched, freed at once


def ignore_false_warnings(module=r"tinymeta\."):
    """Ignore, on macOS, what NumPy says of matrix products in modules whose names match: Apple's
    BLAS sets the flags for overflow and the like on right products, and NumPy believes it before
    2.4 (numpy issue 28687). A product that overflows in truth is then silent too, but its inf is
    there to see."""
    if sys.platform == "darwin":  # whichever BLAS: conda exchanges it behind NumPy's back
        warnings.filterwarnings("ignore", ".* encountered in matmul", RuntimeWarning, module)
