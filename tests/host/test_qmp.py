"""QEMU's monitor: pictures of the screen, and what it refuses."""

import prompt
import pytest
import qmp


@pytest.fixture
def monitor(stand_in, micropython, tmp_path):
    """The monitor of a machine that shows its prompt."""
    path = tmp_path / "qmp"
    boot = stand_in.with_cmdline("")
    with prompt.at_prompt(boot, micropython, extra=qmp.listen(path)):
        with qmp.Monitor(path) as monitor:
            yield monitor


def test_screendump(monitor, tmp_path):
    monitor.screendump(tmp_path / "screen.ppm", format="ppm")
    assert (tmp_path / "screen.ppm").read_bytes().startswith(b"P6")


def test_answers_after_a_refusal(monitor):
    with pytest.raises(qmp.MonitorFailed, match="send-key.*'no-such-key'"):
        monitor.send_key("no-such-key")
    monitor.send_key("shift", "a")
    assert monitor.command("query-status")["status"] == "running"


def test_no_monitor(tmp_path, monkeypatch):
    monkeypatch.setattr(qmp, "CONNECT_TIMEOUT", 0.1)
    with pytest.raises(qmp.MonitorFailed, match="no monitor at"):
        qmp.Monitor(tmp_path / "nowhere")
