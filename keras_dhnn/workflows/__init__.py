"""Do what the verbs do, for shell and notebook alike: one file a verb."""
