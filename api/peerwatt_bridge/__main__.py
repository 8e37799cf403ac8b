"""`python -m peerwatt_bridge`."""

from peerwatt_bridge.main import main

main()
