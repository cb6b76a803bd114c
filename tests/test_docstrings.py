"""Docstrings begin with a verb in the imperative: "Reduce pairwise costs", not "What the costs of pairs add up to"."""

import ast

import pytest

from tests.test_imports import modules

# A docstring with another first word fails. If that is a verb in the imperative, it belongs here.
VERBS = set(
    """
    Add Allow Answer Append Apply Arrange Ask Audit Batch Begin Bound Bring Build Call Chain Change Check Choose
    Compact Compare Compile Compute Connect Convert Copy Count Cover Cut Deal Declare Decode Describe Divide Do
    Download Draw Encode End Estimate Expand Export Fill Find Fit Forget Freeze Gather Give Group Hash Hold Import
    Infer Inflate Keep Know Lay Learn Leave Let List Load Lock Log Look Lower Make Mark Measure Merge Minimise
    Mirror Move Multiply Name Notice Number Offer Open Order Paint Parse Prepare Print Put Raise Reach Read Reduce
    Refuse Regress Remove Repeat Replace Report Resize Resolve Retrieve Return Round Run Say Scale Score Search See
    Send Serve Set Share Show Sort Speak Split Spread Stand Start Step Store Suggest Sum Summarise Take Talk Tell
    Train Try Turn Undo Word Work Write Yield
    """.split()  # noqa: SIM905 - a hundred lines otherwise
)


def docstrings(path):
    """Names and docstrings of a module, its classes and its functions, as far as they have one."""
    tree = ast.parse(path.read_text())
    yield "the module", ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, ast.get_docstring(node)


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_docstrings_begin_with_a_verb(module, path):
    for name, text in docstrings(path):
        if text is not None:
            first, *others = (word.rstrip(",:.") for word in text.split())
            assert first in VERBS, f"{path}: the docstring of {name} begins with {first!r}, which is no verb we know"
            assert [first.lower()] != others[:1], f"{path}: the docstring of {name} says {first!r} twice"
