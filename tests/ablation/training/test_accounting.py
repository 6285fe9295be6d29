import pytest

from ablation import metrics
from ablation.training.accounting import Accounting, peak_of

TIMES = {metrics.TIME_STEP: 8.0, metrics.TIME_GENERATE: 2.0, metrics.TIME_UPDATE: 4.0}
LOGGED = {"completions/mean_length": 5.0}


def test_rates_are_tokens_by_the_time_that_they_took():
    accounting = Accounting(parameters=10, gpus=1)
    accounting.begin(100)
    row = accounting.row(TIMES, LOGGED, tokens=180, samples=8, link_s=3600)
    assert row[metrics.TOKENS_GENERATED] == 8 * 5 / 2
    assert row[metrics.TOKENS_TRAINED] == 80 / 4


def test_of_adapters_the_backward_pass_counts_once(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA A100-SXM4-80GB")
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda: 0)
    accounting = Accounting(parameters=1_000_000, gpus=1)
    whole = accounting.row(TIMES, LOGGED, tokens=80, samples=8, link_s=0)[metrics.MFU]
    accounting.trained = 1_000
    adapters = accounting.row(TIMES, LOGGED, tokens=80, samples=8, link_s=0)[metrics.MFU]
    assert whole == pytest.approx((6 * 80 + 2 * 40) * 1e6 / (312e12 * 8))
    assert adapters == pytest.approx(((4 * 1e6 + 2e3) * 80 + 2e6 * 40) / (312e12 * 8))


def test_without_a_gpu_nothing_is_said_of_gpus():
    row = Accounting(10, 1).row(TIMES, LOGGED, tokens=80, samples=8, link_s=3600)
    assert (row[metrics.MFU], row[metrics.GPU_MEMORY_GB], row[metrics.GPU_HOURS]) == (None, None, 0.0)


def test_gpu_hours_go_on_from_the_links_before():
    earlier = [{"step": 1, metrics.GPU_HOURS: 1.5}, {"step": 2, metrics.GPU_HOURS: 2.0}, {"step": 3}]
    assert Accounting(10, 1, earlier).row(TIMES, LOGGED, tokens=0, samples=8, link_s=0)[metrics.GPU_HOURS] == 2.0


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("Something else", None),
    ],
)
def test_the_peak_of_a_gpu_is_known_by_its_name(name: str, peak: float | None):
    assert peak_of(name) == peak
