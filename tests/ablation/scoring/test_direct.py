import pytest

from ablation.scoring.evaluator.run import run
from ablation.scoring.evaluator.suite import Pytest

DIRECT = """
import unittest
import pytest

def test_passes(): pass
def test_fails(): assert False
def test_skips(): pytest.skip()
def test_exits(): raise SystemExit(0)

@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 2)])
def test_parameters(a, b): assert a == b

class TestMethods:
    seen = 0
    def test_own_instance_a(self): self.seen += 1; assert self.seen == 1
    def test_own_instance_b(self): self.seen += 1; assert self.seen == 1

class Case(unittest.TestCase):
    def setUp(self): self.n = 1
    def tearDown(self): assert self.n < 3
    def test_set_up(self): self.assertEqual(self.n, 1)
    def test_teardown_fails(self): self.n = 3
    def test_sub(self):
        for n in range(3):
            with self.subTest(n): self.assertLess(n, 2)
    def test_raises(self):
        with self.assertRaises(KeyError): {}["a"]
"""
SET_UP = {
    "a fixture": "import pytest\n@pytest.fixture\ndef one(): return 1\ndef test_it(one): assert one == 1\n",
    "request": "def test_it(request): pass\n",
    "tmp_path": "def test_it(tmp_path): pass\n",
    "setup_function": "def setup_function(): pass\ndef test_it(): pass\n",
    "setup_method": "class TestIt:\n    def setup_method(self): pass\n    def test_it(self): pass\n",
    "setUpClass": (
        "import unittest\nclass Case(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): cls.n = 1\n"
        "    def test_it(self): self.assertEqual(self.n, 1)\n"
    ),
    "indirect": (
        "import pytest\n@pytest.fixture\ndef a(request): return request.param\n"
        "@pytest.mark.parametrize('a', [1], indirect=True)\ndef test_it(a): assert a == 1\n"
    ),
    "async": "async def test_it(): pass\n",
}


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collected")
    for name in ("tests", "work"):
        (folder / name).mkdir()
    return Pytest(folder / "tests", folder / "work")


def outcomes(collector, suite, order=0):
    return {
        result.name: result.outcome for result in run(collector, suite, lambda: False, lambda name: None, order=order)
    }


@pytest.mark.parametrize("order", [0, 1, 5])
def test_tests_that_are_called_say_what_they_say_when_pytest_sets_them_up(collector, order):
    suite = collector.collect(DIRECT, "test_it")
    assert suite.direct
    called = outcomes(collector, suite, order)
    suite.direct = False
    assert called == outcomes(collector, suite, order)
    assert sorted(called.values()) == ["failed"] * 5 + ["passed"] * 6 + ["skipped"]


@pytest.mark.parametrize("source", SET_UP.values(), ids=SET_UP)
def test_what_has_to_be_set_up_is_left_to_pytest(collector, source):
    assert not collector.collect(source, "test_it").direct
