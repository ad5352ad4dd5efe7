"""The miners that are extras, for the tests: `python -m tests.engines` builds pyfim and Spark into .venv.

They come as source only, half a gigabyte of it, so that they stand outside requirements.lock: nobody but the tests of
the four engines needs them. Without them these tests are skipped with the reason, and fail where CI is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from tests.programs import MissingProgramError, install_packages

_LOCK = Path(__file__).with_name("engines.lock")


def find_missing_packages() -> list[str]:
    """Debian's packages that building and running the miners needs and this machine lacks."""
    missing = []
    if not find_spec("fim") and not shutil.which("cc"):
        missing.append("build-essential")
    if not find_spec("fim") and not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("python3-dev")
    if not shutil.which("java"):
        missing.append("default-jre-headless")
    return missing


def build() -> None:
    """Build what the lock names into the running environment. Raises MissingProgramError where pip cannot."""
    print("building pyfim and Spark for the tests of the miners", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-binary", "py4j,pyfim,pyspark", "--require-hashes", "-r", str(_LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingProgramError(f"pip could not build the miners: {done.stderr.strip()[-800:]}")


def main() -> int:
    try:
        if packages := find_missing_packages():
            install_packages(*packages)
        if not (find_spec("fim") and find_spec("pyspark")):
            build()
    except MissingProgramError as error:
        # Only the gate insists: a person without them still gets all other tests.
        print(error, file=sys.stderr)
        return 3 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
