"""`netlet demo`."""

from app.commands import command

cli = command()


@cli.command()
def demo() -> None:
    """Serve, train the tutorial's network over HTTP, ask it about (4, 8), and keep serving."""
    from app.commands.configured import settings_or_end
    from app.demo import demonstrate

    demonstrate(settings_or_end())
