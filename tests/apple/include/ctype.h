#ifndef RG_APPLE_CTYPE_H
#define RG_APPLE_CTYPE_H

int isalnum(int c);
int isalpha(int c);
int isdigit(int c);
int isprint(int c);
int isspace(int c);
int tolower(int c);
int toupper(int c);

#endif
