"""The platform: REST, dashboard, recorder, tasks and two domains on the `livebeat` engine."""
