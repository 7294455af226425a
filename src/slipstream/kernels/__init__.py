"""Operations that may be lowered in several ways; each file holds its reference form."""
