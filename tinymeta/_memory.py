"""One hint to the C library about memory, which halves the time of a meta-step from 25 tasks on."""

import numpy as np


def keep_freed_memory():
    """Let freed arrays of up to 16 MiB be used again instead of going back to the system, which
    would have to map and zero their pages anew at the next step: glibc takes the largest block
    freed so far as its measure."""
    np.empty(1 << 24, np.uint8)  # never touched, freed at once
