"""Runs ptt as a module, where its script may not be on the path."""

from post_training_toolkit.ptt_trl.cli.main import main

main(prog_name="ptt")
