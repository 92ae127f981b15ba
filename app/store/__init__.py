"""The store: one model version, one file, kept so that nothing acknowledged is lost or half there."""
