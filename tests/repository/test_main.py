"""`python -m tinymeta` says what is installed, and notices when it computes something else."""

import pytest

from tinymeta import __main__ as command


def test_it_names_versions_lessons_and_pages_that_there_are(capsys):
    command.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("tinymeta ") and "NumPy" in said[0]
    assert "03_maml.py" in {path.name for path in command.find_lessons().glob("*.py")}
    assert (command.find_lessons() / "book" / "index.html").exists()
    assert [line.endswith("  ok") for line in said] == [False] * 3 + [True] * 2


def test_an_installation_without_lessons_says_so(capsys, monkeypatch):
    monkeypatch.setattr(command, "find_lessons", lambda: None)
    command.main()
    assert "this installation has none" in capsys.readouterr().out


def test_a_wrong_meta_gradient_ends_it_with_a_word(capsys, monkeypatch):
    right = command.maml_grad
    monkeypatch.setattr(command, "maml_grad", lambda *a: (0.0, 0.5 * right(*a)[1]))
    with pytest.raises(SystemExit, match="self-check failed"):
        command.main()
    assert capsys.readouterr().out.count("WRONG") == 2
