"""Who may do what: API keys with a scope, Django's sign-in beside them, and a limit on failed attempts."""
