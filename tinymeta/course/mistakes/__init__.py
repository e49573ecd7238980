"""The usual mistakes of each exercise, computed: one reference each, of which every step can be
replaced by another.

    KNOWN[exercise](case)         {phrase: function that returns the result with that mistake}; what
                                  is right comes first
    RARE[exercise](case)          the same for a mistake in one layer, and for two at once
    BASES[exercise](case)         what a result may be a sum of, in vectors {phrase: vector}
    QUANTITIES[exercise](case)    {phrase: number} of the numbers that a result is often off by

tinymeta.course.diagnosis compares a wrong answer with them."""

import functools

from . import backward, head, hvp, layer, tasks
from .common import two_each

OF_TASKS = tuple(tasks.ANSWERS)  # exercises 3 to 6

KNOWN = dict.fromkeys(OF_TASKS, tasks.known_meta_gradients) | {
    "01_backward": backward.known_gradients,
    "02_hvp": hvp.known_products,
    "08_own_layer": layer.known_layers,
    "09_solve_the_head": head.known_heads,
}
RARE = dict.fromkeys(OF_TASKS, tasks.pairs_of_tasks) | {
    "01_backward": backward.gradients_at_one_layer,
    "02_hvp": hvp.products_at_one_layer,
    "08_own_layer": functools.partial(layer.known_layers, mistakes=two_each),
    "09_solve_the_head": head.heads_with_two,
}
BASES = dict.fromkeys(OF_TASKS, tasks.bases) | dict.fromkeys(
    ("01_backward", "02_hvp"), backward.bases_of_points
)
QUANTITIES = dict.fromkeys(OF_TASKS, tasks.quantities_of_tasks) | {
    "01_backward": backward.quantities_of_points,
    "02_hvp": backward.quantities_of_points,
    "08_own_layer": layer.quantities_of_layers,
    "09_solve_the_head": head.quantities_of_heads,
}
