"""`clapp-snn reproduce`: run a published protocol and compare what comes out with what is expected."""

import csv
import io
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from clapp_snn.commands.failures import OutOfRange
from clapp_snn.commands.reproduction_figures import PROTOCOLS, draw
from clapp_snn.figures.style import save
from clapp_snn.files import require_folder, write_text
from clapp_snn.protocols.protocol import Finding, Protocol, Record


def reproduce(name: str, out: str | Path, seed: int = 0, dt: float | None = None) -> list[Path]:
    """Run one protocol, print its table, and write figure and tables.

    Args:
        name: of a protocol (`PROTOCOLS`).
        out: folder for `NAME.png`, `NAME.csv` (everything measured) and `NAME_findings.csv` (the printed
            table).
        seed: of the random numbers.
        dt: time step in ms; None takes the protocol's.

    Returns the files. Raises ValueError for an unknown name or a dt that the protocol cannot take,
    NotADirectoryError if `out` is a file;
    `OutOfRange`, after everything is written, if a number lies outside its accepted range.
    """
    protocol = _protocol(name, dt)
    folder = require_folder(out)
    measured = protocol.measure(seed)
    findings = protocol.findings(measured)
    print(_text(protocol, findings))
    paths = [folder / f"{name}{suffix}" for suffix in (".png", ".csv", "_findings.csv")]
    save(draw(protocol, measured), paths[0])
    write_text(paths[1], _csv(protocol.records(measured)))
    rows = [{**finding._asdict(), "in_range": str(finding.ok).lower()} for finding in findings]
    write_text(paths[2], _csv(rows))
    print("\n" + "\n".join(map(str, paths)))
    wrong = [finding.name for finding in findings if not finding.ok]
    if wrong:
        raise OutOfRange(
            f"{name}: {len(wrong)} of {len(findings)} numbers lie outside their accepted range: "
            f"{'; '.join(wrong)}."
        )
    return paths


def _protocol(name: str, dt: float | None) -> Protocol[Any]:
    if name not in PROTOCOLS:
        raise ValueError(f"Unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}.")
    kind = PROTOCOLS[name]
    if dt is None:
        return kind()
    if "dt" not in {field.name for field in fields(kind)}:
        raise ValueError(f"{name} goes from event to event and has no time step; leave --dt out.")
    step: dict[str, Any] = {"dt": dt}
    return replace(kind(), **step)


def _text(protocol: Protocol[Any], findings: Sequence[Finding]) -> str:
    """The table of measured against expected numbers, its sources, and the notes of the protocol."""
    sources = list(dict.fromkeys(finding.source for finding in findings))
    rows = [("quantity", "measured", "expected", "accepted", "unit", "", "source")]
    for finding in findings:
        low, high = _number(finding.low), _number(finding.high)
        rows.append(
            (
                finding.name,
                _number(finding.measured),
                _number(finding.expected),
                low if low == high else f"{low} to {high}",
                finding.unit,
                "ok" if finding.ok else "OUT OF RANGE",
                f"[{sources.index(finding.source) + 1}]",
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if k in (1, 2) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    listed = [f"[{number}] {source}" for number, source in enumerate(sources, start=1)]
    width = max(60, min(110, shutil.get_terminal_size((110, 24)).columns))
    notes = [
        textwrap.fill(note, width, initial_indent="note: ", subsequent_indent="      ")
        for note in protocol.notes
    ]
    return "\n".join([protocol.title, "", *lines, "", *listed, *notes])


def _number(value: float) -> str:
    return f"{value + 0.0:.4g}"


def _csv(rows: Sequence[Record] | Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
