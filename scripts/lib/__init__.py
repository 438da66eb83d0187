"""What several programs share."""

import logging

# Said at import on every machine without the optional kernels package; must be set before PEFT imports bitsandbytes.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
