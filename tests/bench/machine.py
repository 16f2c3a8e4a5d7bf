"""What the figures were taken on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil

CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str]:
    """Processors, memory, system, Python, and how busy the machine was, by what they are called."""
    busy = ", ".join(f"{load:.1f}" for load in psutil.getloadavg())
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processors": f"{os.cpu_count()} × {_find_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load at the start (1, 5, 15 minutes)": busy,
    }


def _find_processor() -> str:
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
