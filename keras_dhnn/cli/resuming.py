"""What may be said beside `--resume`: what is continued was asked for when it began."""


def refuse_beside_resume(context, *allowed):
    """Refuses what would have no effect on something that is continued.

    Args:
        context: the command's `typer.Context`.
        *allowed: names of parameters that have one, beside those of --data, --quiet and --json.

    Raises:
        ValueError: if others were given; it names them.
    """
    allowed = {"resume", "data", "quiet", "as_json", *allowed}
    given = [
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE" and parameter.name not in allowed
    ]
    if given:
        raise ValueError(
            f"--resume continues what was asked for at the beginning. Leave out {', '.join(given)}, or start anew "
            "without --resume."
        )
