"""Whose a hand-in is, which exercise it answers, and its code, whatever names and bytes it has."""

import json
import os

import pytest
from hand_ins import notebook

from tinymeta.course import submissions

NAMES = ("01_backward", "03_maml", "04_first_order_maml", "07_bug_hunt")


def make(folder, *paths, text="x = 1\n"):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def found(folder):
    """Return {student: {exercise: [names of files]}} and the names of the others."""
    students, nobodys = submissions.find(folder, NAMES)
    answers = {
        student: {name: [path.name for path in paths] for name, paths in one.answers.items()}
        for student, one in students.items()
    }
    others = {s: [path.name for path in one.others] for s, one in students.items() if one.others}
    return answers, others, [path.name for path in nobodys]


@pytest.mark.parametrize(
    "name, exercise, before",
    [
        ("03_maml.py", "03_maml", ""),
        ("03_MAML.PY", "03_maml", ""),
        ("03-maml.py", "03_maml", ""),
        ("03 maml.ipynb", "03_maml", ""),
        ("03_maml-1.py", "03_maml", ""),
        ("03_maml (2).py", "03_maml", ""),
        ("03_maml - Copy.py", "03_maml", ""),
        ("jane_03_maml-12.py", "03_maml", "jane"),
        ("Jane Doe - 03_maml.py", "03_maml", "Jane Doe"),
        ("first_04_first_order_maml.py", "04_first_order_maml", "first"),
        ("103_maml.py", None, ""),
        ("03_maml.txt", None, ""),
        ("03_maml_old.py", None, ""),
        ("notes.py", None, ""),
    ],
)
def test_a_files_name_ends_with_its_exercise(name, exercise, before, tmp_path):
    assert submissions.exercise_of(tmp_path / name, NAMES) == (exercise, before)


def test_a_folder_per_student(tmp_path):
    make(tmp_path, "ann/03_maml.py", "ann/work/01_backward.ipynb", "bob/essay.pdf", "bob/.hidden")
    make(tmp_path, "bob/__MACOSX/03_maml.py", "bob/.git/03_maml.py")
    (tmp_path / "eve").mkdir()
    make(tmp_path, ".DS_Store", "list.txt")
    answers, others, nobodys = found(tmp_path)
    assert answers == {
        "ann": {"03_maml": ["03_maml.py"], "01_backward": ["01_backward.ipynb"]},
        "bob": {},
        "eve": {},
    }
    assert others == {"bob": ["essay.pdf"]} and nobodys == ["list.txt"]


def test_canvas_names(tmp_path):
    make(tmp_path, "doejane_12345_67890_03_maml.py", "doejane_12345_67891_01_backward-1.py")
    make(tmp_path, "roe_LATE_7_8_03_maml.ipynb", "poe_9_10_essay.docx")
    answers, others, _ = found(tmp_path)
    assert {student: [*one] for student, one in answers.items()} == {
        "doejane": ["03_maml", "01_backward"],
        "poe": [],
        "roe": ["03_maml"],
    }
    assert others == {"poe": ["poe_9_10_essay.docx"]}


def test_moodles_names_as_folders_and_flat(tmp_path):
    make(tmp_path, "Jane Doe_123_assignsubmission_file_/03_maml.py")
    make(tmp_path, "Zoë_Roe_124_assignsubmission_file_03_maml.py")
    assert found(tmp_path)[0] == {
        "Jane Doe": {"03_maml": ["03_maml.py"]},
        "Zoë_Roe": {"03_maml": ["Zoë_Roe_124_assignsubmission_file_03_maml.py"]},
    }


def test_two_students_of_one_name_are_told_apart(tmp_path):
    make(tmp_path, "doe_1_5_03_maml.py", "doe_2_6_03_maml.py", "roe_3_7_03_maml.py")
    assert [*found(tmp_path)[0]] == ["doe_1", "doe_2", "roe"]


def test_files_without_a_folder_are_of_whom_they_name_or_else_of_the_folder(tmp_path):
    make(tmp_path / "ann", "03_maml.py", "bob_01_backward.py")
    assert found(tmp_path / "ann")[0] == {
        "ann": {"03_maml": ["03_maml.py"]},
        "bob": {"01_backward": ["bob_01_backward.py"]},
    }


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    make(tmp_path, "bob/03_maml.py")
    (tmp_path / "eve").mkdir()
    os.symlink(tmp_path / "bob", tmp_path / "eve" / "mine")
    answers, others, _ = found(tmp_path)
    assert answers["eve"] == {} and others == {"eve": ["mine"]}


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_found(tmp_path, monkeypatch):
    make(tmp_path, "ann/03_maml.py", "bob/03_maml.py")
    plain = type(tmp_path).iterdir

    def iterdir(self):
        if self.name == "bob":
            raise PermissionError(13, "Permission denied")
        return plain(self)

    monkeypatch.setattr(type(tmp_path), "iterdir", iterdir)
    answers, others, _ = found(tmp_path)
    assert answers == {"ann": {"03_maml": ["03_maml.py"]}, "bob": {}}
    assert others == {"bob": ["bob"]}


GREEK = "θ = 'µ'  # é\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_text_in_unicode_is_read_as_it_is(encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    assert submissions.decode(mark + GREEK.encode(encoding)) == GREEK


@pytest.mark.parametrize(
    "data, text",
    [
        ("µ = 1\n".encode("cp1252"), "µ = 1\n"),
        ("# coding: cp1253\nθ = 1\n".encode("cp1253"), "# coding: cp1253\nθ = 1\n"),
        (b"# coding: no_such\n\xe9 = 1\n", "# coding: no_such\né = 1\n"),
        (b"x = '\x81\xe9'\n", "x = '\x81é'\n"),  # no text in cp1252
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xff\xfea", "ÿþa"),  # half a letter
        (b"", ""),
    ],
)
def test_other_bytes_are_some_text(data, text):
    assert submissions.decode(data) == text


@pytest.mark.parametrize(
    "cell, left",
    [
        ("x = 1", "x = 1"),
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if x:\n    !ls\n    y = 2", "if x:\n    pass\n    y = 2"),
        ("x = !ls\ny = %time 1", "x = None\ny = None"),
        ("np.mean?\nnp??\n?np\nx = 1", "pass\npass\npass\nx = 1"),
        ("\n%%time\nx = 1", "\n\nx = 1"),
        ("%%timeit -n 1\nx = 1", "\nx = 1"),
        ("%%bash\nls", ""),
        ("%%timer\nls", ""),
        ("x = (7\n% 4)", "x = (7\n% 4)"),  # Python as it stands
        ("", ""),
    ],
)
def test_a_notebooks_magics_are_left_out(cell, left):
    assert submissions.without_magics(cell) == left


def test_the_code_cells_of_both_kinds_of_notebooks():
    for version in (3, 4):
        text = notebook("import numpy as np\nx = 1", "!ls", version=version)
        cells = submissions.cells_of(text)
        assert [cell.strip() for cell in cells] == ["import numpy as np\nx = 1", "!ls"]
    whole = json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}]})
    assert submissions.cells_of(whole) == ["x = 1"]


@pytest.mark.parametrize("text", ["{}", "[]", "", "x = 1", '{"cells": 3}', "[" * 9999, "3"])
def test_what_is_no_notebook_is_said(text):
    with pytest.raises(submissions.Unreadable, match="not a notebook"):
        submissions.cells_of(text)


def test_a_script_is_one_cell_and_a_notebook_several(tmp_path):
    make(tmp_path, "a.py", text="x = 1\n!\n")
    make(tmp_path, "a.IPYNB", text=notebook("x = 1", "!ls"))
    assert submissions.read(tmp_path / "a.py") == ["x = 1\n!\n"]
    assert submissions.read(tmp_path / "a.IPYNB") == ["x = 1\n", "pass\n"]


def test_an_unreadable_file_is_said(tmp_path, monkeypatch):
    make(tmp_path, "empty.py", text=" \n\t\n")
    make(tmp_path, "full.py", "empty.ipynb", text=notebook())
    (tmp_path / "folder.py").mkdir()
    os.symlink(tmp_path / "full.py", tmp_path / "link.py")
    for name, says in {
        "empty.py": "the file is empty",
        "empty.ipynb": "the file is empty",
        "folder.py": "not a file",
        "link.py": "not a file",
        "gone.py": "not a file",
    }.items():
        with pytest.raises(submissions.Unreadable, match=says):
            submissions.read(tmp_path / name)
    size = (tmp_path / "full.py").stat().st_size
    monkeypatch.setattr(submissions, "CODE_BYTES", size)
    assert submissions.read(tmp_path / "full.py")
    monkeypatch.setattr(submissions, "CODE_BYTES", size - 1)
    with pytest.raises(submissions.Unreadable, match="code is longer than"):
        submissions.read(tmp_path / "full.py")
    monkeypatch.setattr(submissions, "FILE_BYTES", size - 1)
    with pytest.raises(submissions.Unreadable, match="file is larger than"):
        submissions.read(tmp_path / "full.py")


def test_a_file_that_may_not_be_read_is_not_its_students_fault(tmp_path, monkeypatch):
    make(tmp_path, "a.py")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)
    with pytest.raises(PermissionError):
        submissions.read(tmp_path / "a.py")
