//! The only door to the terminal: model, update, views.
