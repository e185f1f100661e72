// A mutex like the library's locks: process-shared and robust.
#pragma once

#include <pthread.h>

void InitMutex(pthread_mutex_t* mutex, int type);
