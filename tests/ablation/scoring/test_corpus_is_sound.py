import ast
from collections import Counter

import pytest

from tests.ablation.scoring.corpus_pairs import CORPUS, SEPARATOR, SUFFIX, read_corpus, read_pair
from tests.ablation.scoring.oracle import many_outcomes

SAMPLE = 12


def test_every_file_holds_a_module_and_tests_that_import_it():
    for pair in read_corpus():
        ast.parse(pair.module)
        imported = set()
        for node in ast.walk(ast.parse(pair.tests)):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
        assert "solution" in imported, pair.name


def test_the_corpus_is_broad():
    kinds = Counter(pair.kind for pair in read_corpus())
    assert kinds["unittest"] >= 100
    assert kinds["pytest"] >= 60


def test_nothing_but_suites_and_the_readme_lies_in_the_corpus():
    assert [p.name for p in CORPUS.iterdir() if not p.name.endswith(SUFFIX)] == ["README.md"]


def test_references_of_a_sample_pass_their_tests():
    pairs = read_corpus()
    sample = pairs[:: len(pairs) // SAMPLE][:SAMPLE]
    assert len(sample) == SAMPLE
    results = many_outcomes([(pair.module, pair.tests) for pair in sample])
    for pair, result in zip(sample, results, strict=True):
        assert 4 <= len(result) <= 25, pair.name
        assert set(result.values()) <= {"passed", "skipped"}, (pair.name, result)
        assert "passed" in result.values(), pair.name


@pytest.mark.parametrize("text", ["x = 1\n", f"x = 1\n{SEPARATOR}\n", f"x = 1\n{SEPARATOR}\ny\n{SEPARATOR}\nz\n"])
def test_a_malformed_file_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / f"broken{SUFFIX}"
    path.write_text(text)
    with pytest.raises(ValueError, match="broken"):
        read_pair(path)
