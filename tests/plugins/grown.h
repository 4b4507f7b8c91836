/* Included before all else: trm__rows and trm__update have one member more than in the library. */
#define puzzle_emb puzzle_emb, *added
