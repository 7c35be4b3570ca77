"""The lab's Asterisk configuration files, as Jinja templates in `asterisk/`."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=PackageLoader("crm_bridge.demo", "asterisk"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)


def rendered(name: str, **values: Any) -> str:
    """The configuration file of that name; a value the template needs and does not get is an error."""
    return _ENVIRONMENT.get_template(name).render(**values)
