"""`ottla demo`: the whole story on a real cluster, asserted step by step."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from agent.demo.screen import Screen
from agent.demo.story import Story, StoryFailed
from agent.lab.cluster import Lab
from agent.lab.errors import LabError


@click.command()
@click.option("--keep", is_flag=True, help="Leave the cluster and the agents running, and say where.")
@click.option("--state", type=click.Path(path_type=Path), help="The lab's folder.  [default: a new one]")
def demo(keep: bool, state: Path | None) -> None:
    """Start a real Kafka cluster, break it, and watch three agents heal it.

    Takes under three minutes once Kafka's jars are there. Exit code 0 only if every step was seen: detected,
    acted on once, verified, undone, and no record lost. Nothing is left behind, unless you --keep it.
    """
    lab = Lab.open(state or _new_folder())
    try:
        failures = asyncio.run(_play(lab, Screen(), keep))
    except KeyboardInterrupt:
        sys.exit(130)
    except (StoryFailed, LabError) as error:
        raise click.ClickException(str(error)) from error
    if failures:
        raise click.ClickException(f"{len(failures)} of the steps failed: {'; '.join(failures)}")


def _new_folder() -> Path:
    """Brokers and agents run as an unprivileged user where we are root: it must be able to enter."""
    folder = Path(tempfile.mkdtemp(prefix="ottla-demo-"))
    folder.chmod(0o755)
    return folder / "lab"


async def _play(lab: Lab, screen: Screen, keep: bool) -> list[str]:
    screen.title("A real Kafka cluster: one controller, three brokers, two disks each")
    story: Story | None = None
    try:
        await lab.up(say=screen.say)
        story = Story.on(lab, screen)
        await story.play()
        if keep:
            _say_where(story, screen)
        return story.failures
    finally:
        if not keep:
            if story is not None:
                await asyncio.gather(*(story.agents.stop(broker) for broker in lab.brokers))
            await lab.down()
            _remove_if_new(lab)
            screen.say("everything was taken down again: no process, mount or folder is left")


def _say_where(story: Story, screen: Screen) -> None:
    screen.title("Left running")
    screen.say(f"brokers: {','.join(story.lab.bootstrap)}")
    for broker in story.lab.brokers:
        agent = story.agents.agent(broker)
        screen.say(f"agent of broker {broker}: {agent.url}, ottla status --socket {agent.socket}")
    screen.say(f"to end it: ottla lab down --state {story.lab.state}")


def _remove_if_new(lab: Lab) -> None:
    parent = lab.state.parent
    if parent.name.startswith("ottla-demo-") and not any(parent.iterdir()):
        parent.rmdir()
