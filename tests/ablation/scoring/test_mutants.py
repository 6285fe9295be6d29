import ast

import pytest

from tests.ablation.scoring.corpus_pairs import read_corpus
from tests.ablation.scoring.mutants import mutants


def test_mutants_are_new_valid_and_repeatable():
    for pair in read_corpus()[::4]:
        found = mutants(pair.module, 2, seed=5)
        assert found == mutants(pair.module, 2, seed=5), pair.name
        texts = {ast.unparse(ast.parse(pair.module)), *(ast.unparse(ast.parse(m)) for m in found)}
        assert len(texts) == 3, pair.name


def test_more_mutants_begin_with_the_fewer():
    module = read_corpus()[0].module
    assert mutants(module, 8)[:3] == mutants(module, 3)


def test_seeds_choose_different_mutants():
    module = read_corpus()[0].module
    assert len({tuple(mutants(module, 3, seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a < b", {"return a <= b", "return None"}),
        ("return a + b", {"return a - b", "return None"}),
        ("return not a", {"return None"}),
        ("return a and b", {"return a or b", "return None"}),
        ("return 1", {"return 2", "return 0", "return None"}),
        ("return True", {"return False", "return None"}),
        ("return f(a, b)", {"return f(b, a)", "return None"}),
        ("if a:\n        b()", {"if not a:\n        b()", "if a:\n        pass"}),
        ("raise KeyError", {"pass"}),
        ("a += b", {"a -= b", "pass"}),
        ("while a:\n        break", {"while not a:\n        break", "while a:\n        continue"}),
        ("return 'x'", {"return 'xx'", "return None"}),
        ("return f(*a, b)", {"return None"}),
        ("'''Doc.'''\n    return", set()),
    ],
)
def test_changes_of_one_statement(body, expected):
    head = "def g(a, b):\n    "
    assert set(mutants(head + body, 100)) == {ast.unparse(ast.parse(head + e)) for e in expected}


def test_a_module_without_any_place_to_change_has_no_mutants():
    assert mutants("import os\n", 3) == []


def test_a_broken_source_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        mutants("def f(:\n", 1)
