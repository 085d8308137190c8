# SPDX-License-Identifier: Apache-2.0
"""Stands in for MLPerf Tiny's runner: takes the same arguments, finds its device the same way, asks the same commands.

    main.py -d DEVICES.yaml -m p|a -s DATASET

Performance mode runs five inferences of the first sample and tells their time; accuracy mode runs every sample once and
tells how many have their greatest result where the label is.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import serial
import serial.tools.list_ports
import yaml


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-d", dest="devices", required=True)
    parser.add_argument("-m", dest="mode", required=True)
    parser.add_argument("-s", dest="dataset", required=True)
    given = parser.parse_args()
    (device,) = yaml.safe_load(Path(given.devices).read_text())
    wanted = {(int(vid), int(pid)) for vid, pid in device["usb"].items()}
    (port,) = (port for port in serial.tools.list_ports.comports() if (port.vid, port.pid) in wanted)
    with serial.Serial(port.device, device["baud"]["performance"], timeout=20) as line:

        def ask(command: str) -> list[str]:
            line.write(f"{command}%".encode())
            lines: list[str] = []
            while not lines or "m-ready" not in lines[-1]:
                raw = line.readline()
                assert raw, (command, lines)
                lines.append(raw.decode().strip("\r\n\0"))
            return lines[:-1]

        assert ask("name") == ["m-name-dut-[tinyhil]"]
        benchmark = re.fullmatch(r"m-model-\[(\w+)\]", ask("profile")[1])[1]
        folder = Path(given.dataset) / benchmark
        samples = [row.split(",") for row in (folder / "y_labels.csv").read_text().split()]
        right, seconds = 0, 0.0
        for name, _, label in samples[: 1 if given.mode == "p" else None]:
            data = (folder / name.strip()).read_bytes()
            ask(f"db load {len(data)}")
            for at in range(0, len(data), 31):
                loaded = ask(f"db {data[at : at + 31].hex()}")
            assert loaded == ["m-load-done"]
            said = ask("infer 5 1" if given.mode == "p" else "infer 1 0")
            begun, ended = (int(said[at].removeprefix("m-lap-us-")) for at in (3, 4))
            seconds += (ended - begun) / 1e6
            results = [float(word) for word in said[-1].removeprefix("m-results-[").rstrip("]").split(",")]
            right += results.index(max(results)) == int(label)
    Path("said.json").write_text(json.dumps({"benchmark": benchmark, "right": right, "seconds": seconds}))
    print(f"{benchmark}: {right} of {len(samples)} right, {seconds:.6f} s")


if __name__ == "__main__":
    main()
