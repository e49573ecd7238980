"""What grows out of the subject; nothing in the subject needs it."""
