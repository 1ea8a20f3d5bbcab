"""The production compose file, its image and its scripts; and a running stack, if there is one."""
