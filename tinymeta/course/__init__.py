"""What serves the lessons and the teaching; nothing outside this folder needs it."""
