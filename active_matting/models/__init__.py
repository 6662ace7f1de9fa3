"""Networks by name. To add one: a file in this folder and a line in `NETWORKS`."""

from active_matting.registry import Registry

NETWORKS = Registry(kind="network", group="active_matting.networks", table={})
