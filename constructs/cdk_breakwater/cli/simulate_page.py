"""A page with a burst's plots: one file, no script, nothing fetched from anywhere. Or a picture of them."""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from ..errors import BreakwaterError
from .simulate_plots import HEIGHT, WIDTH, plots
from .simulate_words import assumptions, verdict

if TYPE_CHECKING:
    from .simulate_plots import Plot
    from .simulated_burst import Run

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #24292f; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; background: #f6f8fa; }
svg text { font: 11px system-ui, sans-serif; fill: #57606a; } .key { font-size: 13px; }
.note { color: #57606a; font-size: 13px; }
"""
_LINE, _MARGIN, _LETTERS = 18, 16, 105
_SCALE = 2.0


def html_page(runs: list[Run]) -> str:
    """Draw the runs: arrivals, what waits, concurrency, connections against their limit, and what is refused."""
    parts = ["<!doctype html>", '<html lang="en"><head><meta charset="utf-8"><title>breakwater simulate</title>']
    parts += [f"<style>{_STYLE}</style></head><body><h1>breakwater simulate</h1>"]
    parts += [f'<p class="note">{escape(line)}</p>' for line in assumptions(runs[0])]
    for run in runs:
        parts += [f"<h2>{escape(run.title)}</h2>"]
        parts += [f"<p>{escape(line)}</p>" for line in verdict(run)]
        parts += [_figure(plot) for plot in plots(run)]
    return "\n".join([*parts, "</body></html>", ""])


def png_picture(runs: list[Run]) -> bytes:
    """Draw the same as one picture.

    Raises
    ------
    BreakwaterError
        The package that draws it is not installed.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise BreakwaterError(
            "--png", "the package resvg-py is not installed.", "Install cdk-breakwater[png], or take --html."
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=_svg(runs), zoom=_SCALE, sans_serif_family="DejaVu Sans"))


def _svg(runs: list[Run]) -> str:
    """Put words and plots below each other."""
    parts: list[str] = []
    y = _MARGIN

    def write(text: str, style: str = 'font-size="12"') -> None:
        nonlocal y
        y += _LINE
        parts.append(f'<text x="{_MARGIN}" y="{y}" {style}>{escape(text)}</text>')

    for run in runs:
        write(run.title, 'font-size="16" font-weight="bold"')
        for line in verdict(run):
            for part in wrap(line, _LETTERS):
                write(part)
        for plot in plots(run):
            y += _MARGIN // 2
            write(plot.title, 'font-size="13" font-weight="bold"')
            y += _MARGIN // 2
            parts.append(f'<g transform="translate({_MARGIN},{y})" font-size="11" fill="#57606a">')
            parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#f6f8fa"/>{plot.body}</g>')
            y += HEIGHT
            keys = "".join(f'<tspan fill="{colour}">{escape(name)}   </tspan>' for name, colour in plot.key)
            y += _LINE
            parts.append(f'<text x="{_MARGIN}" y="{y}" font-size="12" xml:space="preserve">{keys}</text>')
        y += _MARGIN
    width, height = WIDTH + 2 * _MARGIN, y + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _figure(plot: Plot) -> str:
    picture = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{plot.body}</svg>'
    key = " · ".join(f'<span style="color:{colour}">{escape(name)}</span>' for name, colour in plot.key)
    return f'<figure><figcaption>{escape(plot.title)}</figcaption>{picture}<p class="key">{key}</p></figure>'
