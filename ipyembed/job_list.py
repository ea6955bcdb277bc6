"""What ``%jobs`` shows."""

from __future__ import annotations

import asyncio

from ipyembed.job import Job
from ipyembed.job_places import place_of, place_of_task, stack_of, stack_of_task
from ipyembed.job_shell import describe_error, describe_result, shortened
from ipyembed.job_table import job_table

ENDED = 20
"""How many jobs that have ended are shown."""

Row = tuple[str, str, str, str, str]


def show_jobs(loops: list[asyncio.AbstractEventLoop], with_stacks: bool) -> str:
    """The jobs, those running first of all, and the other tasks of `loops`, as a table."""
    running = job_table.running
    ended = [job for job in job_table.jobs if job.done()]
    rows: list[tuple[Row, list[str]]] = [
        (_row(job), stack_of(job) if with_stacks else []) for job in running
    ]
    rows += [(_row(job), []) for job in ended[-ENDED:]]
    tasks = {job.task for job in running}
    for loop in loops:
        for task in sorted(asyncio.all_tasks(loop) - tasks, key=asyncio.Task.get_name):
            stack = stack_of_task(task) if with_stacks else []
            rows.append((("-", task.get_name(), "running", "", place_of_task(task)), stack))
    if not rows:
        return ""
    text = _table(rows)
    more = len(ended) - ENDED
    return f"{text}\n… and {more} more that have ended" if more > 0 else text


def _table(rows: list[tuple[Row, list[str]]]) -> str:
    head: Row = ("ID", "NAME", "STATE", "AGE", "WHERE")
    widths = [
        max(len(row[column]) for row in (head, *(row for row, _ in rows))) for column in range(4)
    ]
    lines = []
    for row, stack in [(head, []), *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
        lines += [f"{'':{widths[0]}}    {place}" for place in stack]
    return "\n".join(lines)


def _row(job: Job) -> Row:
    return f"[{job.id}]", shortened(job.name, 40), job.state, age(job.age), _where(job)


def _where(job: Job) -> str:
    state = job.state
    if state == "failed":
        return describe_error(job.exception())
    if state == "done":
        return f"→ {describe_result(job.result()) or 'None'}"
    return place_of(job)


def age(seconds: float) -> str:
    """``1.2s``, ``3m04s``, ``2h05m``, ``3d02h``"""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h"
