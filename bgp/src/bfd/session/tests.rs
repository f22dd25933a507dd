mod alone;
mod line;
