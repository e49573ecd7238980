"""A solution of exercise 7."""

ANSWERS = {"A": "same points", "B": "fine-tuning", "C": "right", "D": "f''",
           "E": "leak", "F": "tasks mix", "G": "first order"}
