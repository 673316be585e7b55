"""What an agent's list can be filtered by is what occurs in the agent's own calls."""

import os
import subprocess
import sys
from pathlib import Path

from api.store import Store

LINE = '{{"role": "customer", "time": 5, "text": "{}"}}\n'


def test_an_agent_is_offered_the_cues_and_alerts_of_own_calls_only(calls_folder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "CALMLINE_STORAGE__FOLDER": str(calls_folder)}
    for agent, text in (("amy", "I want to speak to your supervisor."), ("bob", "The parcel is blue.")):
        chat = tmp_path / f"{agent}.jsonl"
        chat.write_text(LINE.format(text))
        command = [sys.executable, "-m", "api.cli", "analyze", str(chat), "--call-id", agent, "--agent-id", agent]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    store = Store(f"sqlite:///{calls_folder / '.calls.db'}")
    assert store.choices(None)["alerts"] == store.choices("amy")["alerts"] == ["supervisor_request"]
    assert (store.choices("bob")["cues"], store.choices("bob")["alerts"]) == ([], [])
