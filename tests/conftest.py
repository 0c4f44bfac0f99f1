"""Shared fixtures; Hypothesis profiles: `fast` for every run, `deep` for `make fuzz`; what `make test-long` adds."""

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.scale import LONG

# The same examples in every run: one that crashes a library in C takes the whole test process with it, and a gate has to say the
# same of the same commit. `deep` looks for new ones.
settings.register_profile("fast", max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` wait for `make test-long`. Tests marked `root` mount file systems; root in a container may not."""
    if not LONG and (long := [item for item in items if _is_long(item)]):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    status = Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    if os.geteuid() == 0 and not effective >> _CAP_SYS_ADMIN & 1:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs CAP_SYS_ADMIN: mounts file systems"))


def _is_long(item: pytest.Item) -> bool:
    only = item.get_closest_marker("long_for")
    chosen = item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""
    return item.get_closest_marker("long") is not None or (only is not None and any(one in chosen for one in only.args))


_CAP_SYS_ADMIN = 21


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus of real documents; the test is skipped, by name, where DLP_CORPUS does not say where it is."""
    place = os.environ.get("DLP_CORPUS", "")
    if not place or not Path(place).is_dir():
        pytest.skip("DLP_CORPUS does not name the corpus of real documents")
    return Path(place)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user of the machine may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="dlp-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """A test that leaves a thread of its own running fails."""
    before = set(threading.enumerate())
    yield
    left = [
        t for t in threading.enumerate() if t not in before and t.is_alive() and not t.name.startswith(("asyncio_", "ThreadPool"))
    ]
    for thread in left:
        thread.join(timeout=5)
    assert not [t.name for t in left if t.is_alive()]
