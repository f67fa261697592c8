"""What the checks find of planted mistakes, beside what their peers find, and how long they take."""
