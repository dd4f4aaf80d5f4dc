"""What reaches stderr is JSON, one object a line, whoever wrote it."""

import json
import os
import subprocess
import sys

from integration.supervise.serving import SOURCES

WRITE = """
import logging, sys, structlog
from bailee.supervise.logs import configure_logs
configure_logs("admin")
structlog.get_logger().info("said", value=sys.argv[1])
logging.getLogger("uvicorn").warning("heard %s", sys.argv[1])
logging.getLogger("uvicorn").info("not heard")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger().exception("failed")
"""


def test_logs_when_a_value_holds_line_ends() -> None:
    """A value with line ends and control characters stays inside its line (R44)."""
    forged = 'x\n{"event": "forged"}\r\x1b[2J\u2028'
    result = subprocess.run(
        [sys.executable, "-c", WRITE, forged],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        check=True,
    )
    said, heard, failed = (json.loads(line) for line in result.stderr.splitlines())
    assert said["value"] == forged
    assert said["level"] == "info"
    assert heard["event"] == f"heard {forged}"
    assert heard["logger"] == "uvicorn"
    assert heard["level"] == "warning"
    assert "ZeroDivisionError" in failed["exception"]
    assert {line["role"] for line in (said, heard, failed)} == {"admin"}
    assert all(line["at"].endswith("Z") for line in (said, heard, failed))
