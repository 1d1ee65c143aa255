"""Where pictures come from: one `Source` a module, and the thread that reads it."""
