"""The component: `build` puts this beside the handler, and componentize-py makes a component of both."""

import handler  # noqa: F401  # the user's, which registers itself
from warren_guest._component import Consumer  # noqa: F401
