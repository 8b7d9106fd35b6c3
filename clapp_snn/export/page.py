"""A page of text and tables, as Markdown and as one self-contained HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{border-bottom:1px solid #ccc;padding:.3rem .7rem;"
    "text-align:left;vertical-align:top}th{background:#f4f4f4}"
)


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs and tables, in order."""

    title: str
    parts: list[str | Table] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A title and sections."""

    title: str
    sections: list[Section]


def markdown(page: Page) -> str:
    """The page in Markdown."""
    lines = [f"# {page.title}", ""]
    for section in page.sections:
        lines += [f"## {section.title}", ""]
        for part in section.parts:
            lines += [*(_markdown_table(part) if isinstance(part, Table) else [part]), ""]
    return "\n".join(lines)


def html(page: Page) -> str:
    """The page in HTML; all text is escaped, nothing is loaded from elsewhere."""
    body = [f"<h1>{escape(page.title)}</h1>"]
    for section in page.sections:
        body.append(f"<h2>{escape(section.title)}</h2>")
        body += [
            _html_table(part) if isinstance(part, Table) else f"<p>{escape(part)}</p>"
            for part in section.parts
        ]
    head = f"<meta charset='utf-8'><title>{escape(page.title)}</title><style>{STYLE}</style>"
    return (
        f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(body)}</body></html>\n"
    )


def _markdown_table(table: Table) -> list[str]:
    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(each).replace("|", "\\|") for each in cells) + " |"

    return [line(table.header), "|" + "---|" * len(table.header), *map(line, table.rows)]


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(str(each))}</th>" for each in table.header)
    rows = ("".join(f"<td>{escape(str(each))}</td>" for each in row) for row in table.rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
