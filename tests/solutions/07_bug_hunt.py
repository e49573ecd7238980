"""A solution of exercise 7, for the letters of lessons/exercises."""

ANSWERS = {
    "A": ("fine-tuning", {"compare": "adapt", "sizes": (2, 5, 4, 3)}, 0.31),
    "B": ("f''", {}, 0.018),
    "C": ("loss''", {"criterion": "cross_entropy"}, 0.099),
    "D": ("reported loss", {"compare": "loss"}, 0.48),
    "E": ("other points", {"inner_steps": 2}, 0.21),
    "F": ("left over", {"inner_steps": 0}, 0.54),
    "G": ("cut short", {"inner_steps": 3}, 0.17),
    "H": (
        "right",
        [
            {"compare": "adapt", "sizes": (2, 5, 4, 3)},
            {"criterion": "cross_entropy"},
            {"compare": "loss"},
            {"inner_steps": 3},
        ],
        0,
    ),
}
