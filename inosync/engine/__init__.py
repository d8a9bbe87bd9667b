"""Which mirror runs when. Pure: told with times, answers with actions."""
