"""Time from QEMU's start to the prompt, measured on the host."""

import time

import qemu

# Odd, so that the median is one of the runs.
RUNS = 7

# Sizes in QEMU's notation and in bytes.
SIZES = (("64G", 64 << 30), ("1T", 1 << 40))

PROMPT = b">>> "
# Seconds that a machine may take or be silent.
TIMEOUT = 60

_ASK = b"print('init', PFM.init_us)\r"


def _boot(memory):
    """Boot a machine; return the nanoseconds to the prompt, and those that it reports for init."""
    start = time.perf_counter_ns()
    with qemu.Machine(qemu.Boot(memory=memory), TIMEOUT, silence=TIMEOUT) as machine:
        machine.read_until(PROMPT)
        elapsed = time.perf_counter_ns() - start
        machine.write(b"from pfm import PFM\r")
        machine.read_until(PROMPT)
        machine.write(_ASK)
        machine.read_until(b"\ninit ")
        return elapsed, int(machine.read_until(b"\n")) * 1000


def _row(work, size, unit, samples):
    samples = sorted(samples)
    return {
        "work": work,
        "who": "pfm",
        "size": size,
        "unit": unit,
        "median": samples[len(samples) // 2],
        "min": samples[0],
        "max": samples[-1],
    }


def rows():
    """Return the rows of boots with the stand-in loader."""
    found = []
    for memory, size in SIZES:
        samples = [_boot(memory) for _ in range(RUNS)]
        boots, inits = zip(*samples, strict=True)
        found.append(_row("QEMU's start to prompt", size, "boot", boots))
        found.append(_row("init of the machine itself", size, "init", inits))
    return found
