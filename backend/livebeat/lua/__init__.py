"""The engine's atomic steps, one file a script; `livebeat.connection.Link.script` runs them by name."""
