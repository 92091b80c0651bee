#ifndef RG_APPLE_COMPLEX_H
#define RG_APPLE_COMPLEX_H

/* All that clang's <tgmath.h> mentions. */
#define RG_C(name)                                                                                                     \
  double _Complex name(double _Complex x);                                                                             \
  float _Complex name##f(float _Complex x);                                                                            \
  long double _Complex name##l(long double _Complex x)
#define RG_R(name)                                                                                                     \
  double name(double _Complex x);                                                                                      \
  float name##f(float _Complex x);                                                                                     \
  long double name##l(long double _Complex x)

RG_C(cacos);
RG_C(cacosh);
RG_C(casin);
RG_C(casinh);
RG_C(catan);
RG_C(catanh);
RG_C(ccos);
RG_C(ccosh);
RG_C(cexp);
RG_C(clog);
RG_C(cproj);
RG_C(csin);
RG_C(csinh);
RG_C(csqrt);
RG_C(ctan);
RG_C(ctanh);
RG_C(conj);
RG_R(cabs);
RG_R(carg);
RG_R(creal);
RG_R(cimag);
double _Complex cpow(double _Complex x, double _Complex y);
float _Complex cpowf(float _Complex x, float _Complex y);
long double _Complex cpowl(long double _Complex x, long double _Complex y);

#endif
